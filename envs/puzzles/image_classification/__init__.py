"""Image classification: `engram/ImageClassification-v0`, its data sets and their readers."""
