"""Inference: models by name, wherever they run."""

from services.core.inference.in_process import InProcess
from services.core.inference.placed import Placed
from services.core.inference.port import Inference, Model, ModelFailed, ModelLoading

__all__ = ["InProcess", "Inference", "Model", "ModelFailed", "ModelLoading", "Placed"]
