"""Train a convolutional network on handwritten digits and replay the exported step elsewhere.

The network, its training and the replay are in frontend/demo.  Run: make demo
"""

from onnxgrad.demo.main import main

if __name__ == "__main__":
    main()
