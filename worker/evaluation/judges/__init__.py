"""Estimators that judge frames and that no training loss uses."""

from photorig.worker.evaluation.judges.judge import PARTS, SEEN, Judge, Judgement

__all__ = ["PARTS", "SEEN", "Judge", "Judgement"]
