"""One frozen model under many tuned parts: encoders, encoder-decoders and decoders behind one face."""

from taskspace.tuning.backbones._backbone import Backbone, Pass, Tuned
from taskspace.tuning.backbones._bare import BARE
from taskspace.tuning.backbones._load import load_backbone

__all__ = ["BARE", "Backbone", "Pass", "Tuned", "load_backbone"]
