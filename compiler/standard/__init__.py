"""What the ONNX standard says of operators: schemas, protos, well-formedness."""
