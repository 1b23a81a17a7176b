"""The table of workloads: one file each, which gives the loss to every library."""

from workload import Workload

from . import convolutions, detector, forces, gpt, lstm, mlp, resnet, tiny_mlp, unet

WORKLOADS: dict[str, Workload] = {
    "W1": mlp.WORKLOAD,
    "W2": convolutions.WORKLOAD,
    "W3": resnet.WORKLOAD,
    "W4": gpt.SMALL,
    "W5": tiny_mlp.WORKLOAD,
    "LSTM": lstm.WORKLOAD,
    "U-Net": unet.WORKLOAD,
    "detector": detector.WORKLOAD,
    "forces": forces.WORKLOAD,
    "GPT": gpt.LARGE,
}
