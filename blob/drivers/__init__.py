"""The drivers of the box: `memory` and `fs`. None knows the others, nor the gateway."""
