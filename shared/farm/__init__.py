"""Jobs for render farms: what is written for one, and what its nodes are checked against."""
