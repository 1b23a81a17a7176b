"""What onnxruntime runs on: providers, built in or as packages, and options of its sessions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from ..compiler.errors import BackendUnavailableError, GraphError
from ..compiler.graph.arguments import is_iterable, optional_mapping, require_count
from ..compiler.graph.names import suggestion

Provider = tuple[str, dict[str, str]]
"""A provider's full name and its options."""

_CPU = "CPUExecutionProvider"

_PACKAGES = {
    "CUDA": "onnxruntime-gpu",
    "Tensorrt": "onnxruntime-gpu",
    "NvTensorRTRTX": "onnxruntime-ep-nv-tensorrt-rtx",
    "Dml": "onnxruntime-directml",
    "CoreML": "onnxruntime (on macOS)",
    "OpenVINO": "onnxruntime-openvino",
    "WebGpu": "onnxruntime-ep-webgpu",
    "QNN": "onnxruntime-qnn",
    "MIGraphX": "onnxruntime-migraphx",
    "CANN": "onnxruntime-cann",
}
"""Which package brings a provider; one of them at a time, those named ep beside any other."""

_OTHER_NAMES = {"directml": "Dml", "tensorrt": "Tensorrt", "migraphx": "MIGraphX"}

_PLUGIN = "onnxruntime_ep_"
"""How packages are named that bring a provider of their own."""

_DEVICES = {"CUDAExecutionProvider": "cuda", "TensorrtExecutionProvider": "cuda"}
"""Whose memory is not the host's."""


@dataclass(frozen=True)
class Settings:
    """How sessions are opened."""

    providers: Sequence[Provider] = ((_CPU, {}),)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def device(self) -> tuple[str, int]:
        """The device where the first provider keeps its tensors."""
        name, options = self.providers[0]
        return _DEVICES.get(name, "cpu"), int(options.get("device_id", 0))

    @property
    def is_plain(self) -> bool:
        """Tell whether the CPU alone runs the graph."""
        return [name for name, _ in self.providers] == [_CPU]

    def apply(self, session_options: Any) -> None:
        """Set what was chosen in onnxruntime's own options."""
        for name, value in self.options.items():
            if "." in name:
                session_options.add_session_config_entry(name, str(value))
            else:
                setattr(session_options, name, value)
        plugins = _plugins()  # what onnxruntime does not have built in
        for name, options in self.providers:
            if name in plugins:
                session_options.add_provider_for_devices(_devices(name), options)
            elif name != _CPU or len(self.providers) > 1:
                session_options.add_provider(name, options)


def read_settings(providers: Any, options: Any, threads: Any) -> Settings:
    """Read what `compile` was given.

    Raises:
        BackendUnavailableError: a provider is not installed; the message says what to install.
        GraphError: there is no such provider or option.
    """
    chosen = dict(_read_options(optional_mapping(options, "options")))
    if threads is not None:
        chosen["intra_op_num_threads"] = require_count(threads, "threads", 1)
    if providers is None:
        return Settings(options=chosen)
    if isinstance(providers, str | tuple) or not is_iterable(providers):
        raise GraphError(f"providers is a list, such as ['cuda', 'cpu'], not {providers!r}")
    found = [_read_provider(given) for given in providers]
    if not found:
        raise GraphError("providers is an empty list; name one, such as 'cpu'")
    return Settings(found, chosen)


def provider_names() -> list[str]:
    """List the providers that are installed here."""
    import onnxruntime as ort  # loads only when it is used

    names = ort.get_available_providers()
    return [*names, *(name for name in _plugins() if name not in names)]


def _read_provider(given: Any) -> Provider:
    name, options = given if isinstance(given, tuple) and len(given) == 2 else (given, {})
    if not isinstance(name, str):
        raise GraphError(f"a provider is a name, or (name, options), not {given!r}")
    options = optional_mapping(options, f"the options of the provider '{name}'")
    full = _full_name(name)
    installed = provider_names()
    if full not in installed:
        package = _PACKAGES.get(full.removesuffix("ExecutionProvider"))
        how = f"pip install {package}" if package else "it takes a build of onnxruntime of its own"
        raise BackendUnavailableError(
            f"the provider {full} is not in this onnxruntime, which has {', '.join(installed)}: "
            f"{how}"
        )
    return full, {key: str(value) for key, value in options.items()}


def _full_name(name: str) -> str:
    """Find a provider by its name, or by the short one: "cuda" is CUDAExecutionProvider."""
    import onnxruntime as ort  # loads only when it is used

    every = [
        *ort.get_all_providers(),
        *provider_names(),
        *(f"{short}ExecutionProvider" for short in _PACKAGES),
    ]
    short = name.lower().removesuffix("executionprovider")
    wanted = _OTHER_NAMES.get(short, short).lower()
    known = {full.removesuffix("ExecutionProvider").lower(): full for full in every}
    if wanted not in known:
        raise GraphError(f"onnxruntime knows no provider '{name}'{suggestion(wanted, known, 20)}")
    return known[wanted]


def _read_options(given: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """Read session options: attributes of SessionOptions, and entries such as "session.…"."""
    import onnxruntime as ort  # loads only when it is used

    fresh = ort.SessionOptions()
    known = [n for n in dir(fresh) if n[0] != "_" and not callable(getattr(fresh, n))]
    for name, value in given.items():
        if "." in name:
            yield name, value
            continue
        if name not in known:
            raise GraphError(f"onnxruntime has no session option '{name}'{suggestion(name, known)}")
        values = getattr(type(getattr(fresh, name)), "__members__", {})
        if isinstance(value, str) and values:
            if value not in values:
                raise GraphError(f"the session option {name} is one of {', '.join(values)}")
            value = values[value]
        try:
            setattr(fresh, name, value)
        except TypeError:
            wanted = type(getattr(fresh, name)).__name__
            raise GraphError(f"the session option {name} is {wanted}, not {value!r}") from None
        yield name, value


@cache
def _plugins() -> dict[str, str]:
    """Find the packages that bring a provider of their own, by the provider's name."""
    found = {}
    for module in iter_modules():
        if module.name.startswith(_PLUGIN):
            found[import_module(module.name).get_ep_name()] = module.name
    return found


@cache
def _register(package: str) -> None:
    import onnxruntime as ort  # loads only when it is used

    ort.register_execution_provider_library(package, import_module(package).get_library_path())


def _devices(name: str) -> list[Any]:
    """Load the library of a provider that is not part of onnxruntime; give what it runs on."""
    import onnxruntime as ort  # loads only when it is used

    _register(_plugins()[name])
    found = [d for d in ort.get_ep_devices() if d.ep_name == name]
    if not found:
        raise BackendUnavailableError(f"the provider {name} finds no device of its own here")
    return found[:1]
