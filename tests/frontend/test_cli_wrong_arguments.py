"""Whatever is wrong on the command line: two lines at most, status 2 and no file."""

import os
from pathlib import Path

import numpy as np
import pytest
from command_line import refusal, run, square

import onnxgrad as og
from onnxgrad.cli.application import told


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return square(tmp_path)


def test_wrong_arguments(model: Path, tmp_path: Path) -> None:
    """Each gives one clear message and status 2."""
    out = tmp_path / "out.onnx"
    grad = ["grad", model, "-o", out]
    assert "No such file" in refusal("info", tmp_path / "missing.onnx")
    assert "no value 'los'; did you mean 'loss'" in refusal(*grad, "--of", "los", "--wrt", "x")
    assert "not a scalar" in refusal(*grad, "--of", "y", "--wrt", "x")
    assert "takes one scalar" in refusal(*grad, "--of", "y", "--of", "loss", "--wrt", "x")
    assert "--of and --wrt both name 'loss'" in refusal(
        *grad, "--of", "loss", "--wrt", "y", "--wrt", "loss"
    )
    assert "matches 'z*'" in refusal(*grad, "--of", "loss", "--wrt", "z*")
    both = ["--vjp", "--jvp", "--of", "y", "--wrt", "x"]
    assert "onnxgrad: --vjp and --jvp exclude each other" in refusal(*grad, *both)
    assert "--wrt" in refusal("grad", model, "--of", "loss", "-o", out)
    assert "no such command 'gradient'. Did you mean 'grad'" in refusal("gradient")
    assert "(see " in refusal("info") and "missing argument 'MODEL'" in refusal("info")
    for command in (grad[:2], ["draw", model], ["run", model]):
        given = ["--of", "loss", "--wrt", "x"] if command[0] == "grad" else []
        assert "'-' is not a file" in refusal(*command, *given, "-o", "-")
    assert "written as .npz" in refusal("run", model, "-o", tmp_path / "out.csv")
    assert not out.exists()


def test_errors_speak_the_words_of_the_command_line(model: Path, tmp_path: Path) -> None:
    """No argument of Python's functions is advised that a command does not have."""
    grad = ["grad", model, "-o", tmp_path / "out.onnx"]
    b = og.Builder.extend(og.load(model))
    b.output(b.op.Floor(b.value("x")), "floor")
    og.save(b.build(), model)
    for given, advice in {
        ("--of", "y", "--wrt", "x"): "use --vjp",
        ("--of", "loss", "--wrt", "q*"): "--wrt: nothing matches",
        ("--of", "floor", "--wrt", "x"): "--of floor is float32",
        ("--jvp", "--of", "y", "--wrt", "x", "--name", "q=z"): "--name q: there is no 'q'",
        ("--vjp", "--of", "floor", "--wrt", "x"): "--allow-unused gives zeros",
        ("--vjp", "--of", "y", "--wrt", "y"): "pass --name y=…",
    }.items():
        message = refusal(*grad, *given)
        assert advice in message, message
    np.savez(tmp_path / "data.npz", x=np.ones((4, 2), np.float32))
    train = ["train", model, "--data", tmp_path / "data.npz", "-o", tmp_path / "out.onnx"]
    train += ["--loss", "loss"]
    for given, advice in {
        ("--train", "q*"): "--train: nothing matches",
        ("--freeze", "q*"): "--freeze: nothing matches",
        ("--freeze", "*"): "--freeze leaves nothing to train",
        ("--freeze", "w", "--train", "w"): "--train and --freeze both name 'w'",
        ("--seed", str(2**63)): "--seed must be less than 2**63",
        ("--patience", "2"): "--patience counts validations; give --validation",
    }.items():
        assert advice in refusal(*train, *given)
    validate = ["validate", model, "--backend", "numpy"]
    assert "--backend names numpy, but it takes two" in refusal(*validate)
    assert "--backend names numpy, but it takes two" in refusal(*validate, "--backend", "numpy")


def test_python_stays_where_a_command_has_no_such_option(model: Path) -> None:
    message = "'x' is unused; allow_unused=True gives zeros, shapes={'N': 8, 'M': 2} sizes"
    assert told(message, "grad").endswith(
        "; --allow-unused gives zeros, --shape N=8 --shape M=2 sizes"
    )
    assert told(message, "tune").endswith(
        "; allow_unused=True gives zeros, --shape N=8 --shape M=2 sizes"
    )
    assert told("'of=x.frozen=1' of frozen=['w']", "train") == "'of=x.frozen=1' of --freeze"


@pytest.mark.parametrize("option", ["--epochs", "--batch-size", "--learning-rate"])
def test_what_is_no_number_is_told(option: str, model: Path, tmp_path: Path) -> None:
    train = ["train", model, "--data", tmp_path, "-o", tmp_path / "out.onnx", option, "zero"]
    message = refusal(*train)
    assert f"'{option}'" in message and "'zero'" in message and "parse" not in message, message


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["info"], ["--parameters", "--measure"]),
        (["grad"], ["'*.weight'", "gradient.onnx"]),
        (["train"], ["'cross_entropy(label_smoothing=0.1)'", "clip_by_global_norm,", "one_cycle,"]),
    ],
)
def test_help_is_not_cut(command: list[str], words: list[str]) -> None:
    """On a terminal of 80 columns."""
    said = run(*command, "--help")
    assert "…" not in said
    assert all(word in said for word in words), said


WRONG: list[list[str]] = [
    *([command, model] for command in ("info", "run", "validate") for model in ("", ".", "a\0b")),
    *(["grad", "MODEL", "--of", "loss", "--wrt", wrt, "-o", "g"] for wrt in ("", "\udc80", "z*")),
    *(
        ["grad", "MODEL", "--of", of, "--wrt", "x", "-o", "g"]
        for of in ("", "*", "w", "z*", "nope")
    ),
    *(["validate", "MODEL", "--of", of, "--wrt", "*"] for of in ("", "z*")),
    *(["validate", "MODEL", "--of", "loss", "--wrt", wrt] for wrt in ("loss", "", "z*")),
    *(
        ["grad", "MODEL", "--of", "loss", "--wrt", "x", "-o", o]
        for o in ("", "-", ".", "no/g", "\0")
    ),
    *(["draw", "MODEL", "-o", out] for out in ("", "-", ".", "no/g.svg", "g.pdf", "\0")),
    *(["run", "MODEL", "-i", "x=X", "-o", out] for out in ("", "-", ".", "no/g.npz", "g.npy")),
    *(["run", "MODEL", "-i", i] for i in ("", "=", "x", "x=", "=X", "x=.", "x=a\0b", "x=MODEL")),
    *(["run", "MODEL", "-i", "x=X", "--backend", backend] for backend in ("", "tpu", "\udc80")),
    *(["validate", "MODEL", "--backend", backend] for backend in ("", "tpu")),
    *(["validate", "MODEL", "--seed", seed] for seed in ("-1", "one")),
    *(["train", "MODEL", "--data", data, "-o", "g"] for data in ("", ".", "x.npy", "no.npz", "\0")),
    *(
        ["train", "MODEL", "--data", "DATA", "--loss", "loss", "-o", "g", option, wrong]
        for option in ("--loss", "--optimizer", "--epochs", "--batch-size", "--metric", "--backend")
        for wrong in ("", "nope", "(", "mse(axis=", "0", "\udc80")
    ),
    *(
        ["train", "MODEL", "--data", "DATA", "--loss", "loss", "-o", "g", *more]
        for more in (
            *(["--optimizer", o] for o in ("adam(", "adam(1, 2, 3)", "adam(zz=1)", "adam('a')")),
            *(["--schedule", s] for s in ("", "cosine(steps=0)", "one_cycle(rise=2)", "x")),
            *(["--train", t] for t in ("", "z*", "x")),
            *(["--shape", s] for s in ("N=0", "N=-1", "x=", "x=1", "z=1")),
            *(["--new-head", h] for h in ("", "y", "y=", "y=0", "z=2")),
            *(["--checkpoints", "x.npy"], ["--checkpoints", "a" * 300], ["--curve", "g.pdf"]),
            *(["--validation", "no.npz"], ["--parallel", "nope"], ["--learning-rate", "nan"]),
        )
    ),
    *(
        ["train", "MODEL", "--data", "DATA", "--loss", "loss", "-o", o]
        for o in ("", "-", ".", "/", "no/g", "\0", "a" * 300)
    ),
    ["grad", "MODEL", "--of", "loss", "--wrt", "x", "-o", "g", "--opset", "6"],
    ["info"],
    ["info", "MODEL", "--nope"],
    ["ops", "more"],
]


@pytest.mark.parametrize("arguments", WRONG, ids=lambda a: ascii(" ".join(a)))
def test_whatever_is_wrong(
    arguments: list[str], model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status 2, two lines at most, no trace of Python and no file."""
    monkeypatch.chdir(tmp_path)
    x, data = str(tmp_path / "x.npy"), str(tmp_path / "data.npz")
    np.savez(data, x=np.ones((4, 2), np.float32))
    before = sorted(os.listdir(tmp_path))
    for name, path in (("MODEL", str(model)), ("DATA", data), ("X", x)):
        arguments = [a.replace(name, path) for a in arguments]
    refusal(*arguments)
    assert sorted(os.listdir(tmp_path)) == before


WRITERS: list[list[str]] = [
    ["grad", "MODEL", "--of", "loss", "--wrt", "x", "-o"],
    ["tune", "MODEL", "--of", "loss", "--wrt", "x", "-o"],
    ["draw", "MODEL", "-o"],
    ["run", "MODEL", "-i", "x=X", "-o"],
    ["train", "MODEL", "--data", "DATA", "--loss", "loss", "-o"],
    ["train", "MODEL", "--data", "DATA", "--loss", "loss", "-o", "g", "--log"],
]


@pytest.mark.parametrize("arguments", WRITERS, ids=" ".join)
def test_what_is_written_has_a_place_of_its_own(
    arguments: list[str], model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never over the model, nor into a folder that is not there, which no command makes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    model = model.rename(tmp_path / "model")  # `run` writes to names without a suffix or in .npz
    Path("link").symlink_to(model)
    np.savez("data.npz", x=np.ones((4, 2), np.float32))
    before, content = sorted(os.listdir()), model.read_bytes()
    places = {"MODEL": str(model), "X": "x.npy", "DATA": "data.npz"}
    given = [places.get(a, a.replace("=X", "=x.npy")) for a in arguments]
    for output in (str(model), "link"):
        assert f"{output} is the model itself" in refusal(*given, output)
    assert "cannot write no/such: there is no folder no" in refusal(*given, "no/such")
    assert "cannot write .: it is a folder" in refusal(*given, ".")
    assert sorted(os.listdir()) == before and model.read_bytes() == content


def test_wrong_feeds(model: Path, tmp_path: Path) -> None:
    x = tmp_path / "x.npy"
    assert "missing: x" in refusal("run", model)
    assert "wants name=file.npy" in refusal("run", model, "-i", "x")
    assert "gives 'x' twice" in refusal("run", model, "-i", f"x={x}", "-i", f"x={x}")
    assert "not an input: z" in refusal("run", model, "-i", f"z={x}")
    assert "No such file" in refusal("run", model, "-i", "x=missing.npy")
    assert "no backend 'tpu'" in refusal("run", model, "-i", f"x={x}", "--backend", "tpu")
    whole = x.read_bytes()
    no, cut = "not an .npy file; np.save writes such", "cut off or damaged"
    broken = whole[:10] + b"{" * (len(whole) - 10)
    for name, content, what in (
        ("text", b"1 2 3", no),
        ("empty", b"", no),
        ("cut", whole[:-3], cut),
        ("broken", broken, cut),
    ):
        bad = tmp_path / f"{name}.npy"
        bad.write_bytes(content)
        assert f"{bad} is {what}" in refusal("run", model, "-i", f"x={bad}")
    np.savez(tmp_path / "many.npz", a=1)
    assert "is not an .npy file" in refusal("run", model, "-i", f"x={tmp_path / 'many.npz'}")
    np.save(tmp_path / "objects.npy", np.array([1, None]), allow_pickle=True)
    assert "holds Python's objects; save it as numbers" in refusal(
        "run", model, "-i", f"x={tmp_path / 'objects.npy'}"
    )
    np.save(x, np.zeros((1, 3), np.float32))
    assert "(1, 3)" in refusal("run", model, "-i", f"x={x}")


@pytest.mark.parametrize("size", [0, 1, 10, 60])
def test_broken_models(model: Path, tmp_path: Path, size: int) -> None:
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(model.read_bytes()[:size])
    for command in (["info", bad], ["draw", bad, "-o", tmp_path / "x.svg"]):
        refusal(*command)
    bad.write_bytes(b"not a model" * 20)
    refusal("info", bad)
    refusal("info", tmp_path)  # a folder
