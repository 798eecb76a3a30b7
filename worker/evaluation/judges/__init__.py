"""Estimators that judge frames and that no training loss uses."""

from ..estimators.judge import PARTS, SEEN, Judge, Judgement

__all__ = ["PARTS", "SEEN", "Judge", "Judgement"]
