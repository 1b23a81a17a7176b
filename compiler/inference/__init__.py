"""Types of what nodes give: ONNX's inference and our arithmetic on symbolic sizes."""
