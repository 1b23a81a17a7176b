"""`python -m onnxgrad` is the command `onnxgrad`."""

from .cli import main

if __name__ == "__main__":
    main()
