"""Models in and out: files of any opset to graphs at ours and back; nothing is computed here."""
