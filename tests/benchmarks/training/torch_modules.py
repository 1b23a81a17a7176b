"""The workloads of workloads.py in torch, and their training step in torch eager."""

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import torch  # pyright: ignore[reportMissingImports]  # of the bench extra
from torch import nn  # pyright: ignore[reportMissingImports]  # of the bench extra
from torch.nn import functional as F  # pyright: ignore[reportMissingImports]  # of the bench extra
from workloads import BLOCKS, HEADS, TOKENS, VOCABULARY, WIDTH, WIDTHS, Workload


def convolved(width: int, channels: int, size: int, stride: int = 1) -> nn.Sequential:
    """A convolution without bias and its normalization."""
    padding = size // 2
    convolution = nn.Conv2d(channels, width, size, stride=stride, padding=padding, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width))


class Residual(nn.Module):
    """A basic block of ResNet."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = convolved(width, channels, 3, stride)
        self.second = convolved(width, width, 3)
        self.shortcut = convolved(width, channels, 1, stride) if channels != width else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.second(F.relu(self.first(x)))
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class ResNet(nn.Module):
    """ResNet-18 for images of 32×32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = convolved(WIDTHS[0], 3, 3)
        pairs = zip((WIDTHS[0], *WIDTHS), WIDTHS, strict=False)
        self.stages = nn.ModuleList(
            nn.Sequential(Residual(c, w, 1 + (c != w)), Residual(w, w, 1)) for c, w in pairs
        )
        self.head = nn.Linear(WIDTHS[-1], 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.stem(x))
        for stage in self.stages:
            x = stage(x)
        return self.head(x.mean((2, 3)))


class Block(nn.Module):
    """A block of GPT; attention is torch's own fused function."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.wide, self.narrow = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (
            part.view(8, TOKENS, HEADS, -1).transpose(1, 2)
            for part in self.qkv(self.before(x)).chunk(3, 2)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(8, TOKENS, WIDTH))
        return x + self.narrow(F.gelu(self.wide(self.between(x))))


class Gpt(nn.Module):
    """Four blocks between an embedding and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, WIDTH)
        self.places = nn.Parameter(torch.randn(TOKENS, WIDTH) * 0.02)
        self.blocks = nn.Sequential(*(Block() for _ in range(BLOCKS)))
        self.last, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCABULARY)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.last(self.blocks(self.tokens(x) + self.places))).transpose(1, 2)


def make(name: str) -> nn.Module:
    """Give a workload's network, with the same weights at every call."""
    torch.manual_seed(0)
    return MODULES[name]()


MODULES: dict[str, Callable[[], nn.Module]] = {
    "W1": lambda: nn.Sequential(
        nn.Linear(784, 1024), nn.GELU(), nn.Linear(1024, 1024), nn.GELU(), nn.Linear(1024, 10)
    ),
    "W2": lambda: nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.GELU(),
        nn.Conv2d(32, 64, 3, stride=2, padding=1),
        nn.GELU(),
        nn.Conv2d(64, 64, 3, dilation=2, padding=2),
        nn.GELU(),
        nn.Flatten(),
        nn.Linear(64 * 14 * 14, 10),
    ),
    "W3": ResNet,
    "W4": Gpt,
    "W5": lambda: nn.Sequential(
        OrderedDict({"0": nn.Linear(2, 16), "1": nn.Tanh(), "2": nn.Linear(16, 1)})
    ),
}


def torch_step(name: str, work: Workload, threads: int = 0) -> Callable[[], float]:
    """Give torch eager's training step."""
    if threads:
        torch.set_num_threads(threads)
    module = make(name).train()
    optimizer = torch.optim.SGD(module.parameters(), work.rate)
    x, target = torch.from_numpy(work.x), torch.from_numpy(work.target)
    criterion = nn.MSELoss() if work.target.dtype == np.float32 else nn.CrossEntropyLoss()

    def step() -> float:
        optimizer.zero_grad()
        loss = criterion(module(x), target)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step
