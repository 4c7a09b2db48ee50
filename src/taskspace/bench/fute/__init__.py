"""FUTE's own study as a command: task embeddings of models and of data sets, ranked against measured transfers."""

from __future__ import annotations

from taskspace.bench.fute.judging import Judge
from taskspace.bench.fute.plan import LEARNERS, PARTS, Plan
from taskspace.bench.fute.report import write_report
from taskspace.bench.fute.running import run_study
from taskspace.bench.fute.study import Study
from taskspace.bench.fute.tasks import Corpus, TaskFolders

__all__ = ["LEARNERS", "PARTS", "Corpus", "Judge", "Plan", "Study", "TaskFolders", "run_study", "write_report"]
