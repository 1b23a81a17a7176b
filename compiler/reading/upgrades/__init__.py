"""What changed in ONNX's operators: each file brings old calls up to our opset."""

from importlib import import_module

from .registry import UPGRADES, Call, has_upgrade, upgrade_call

FAMILIES = ["arithmetic", "axes", "images", "layers", "ml", "scan", "tensors", "training"]

for _family in FAMILIES:  # importing a file registers its upgrades
    import_module(f".{_family}", __name__)

__all__ = ["UPGRADES", "Call", "has_upgrade", "upgrade_call"]
