"""Runs in the Python that has torch: what a checkpoint gives for inputs of an .npz, as another .npz.

python -P torch_reference.py CHECKPOINT INPUTS OUTPUTS
"""

from __future__ import annotations

import sys


def main(checkpoint: str, inputs: str, outputs: str) -> None:
    import numpy as np
    import torch
    from transformers import AutoModel

    model = AutoModel.from_pretrained(checkpoint, local_files_only=True, torch_dtype=torch.float32).eval()
    with np.load(inputs) as feeds, torch.inference_mode():
        found = model(**{name: torch.from_numpy(feeds[name]) for name in feeds.files})
    np.savez(outputs, last_hidden_state=found.last_hidden_state.numpy())


if __name__ == "__main__":
    main(*sys.argv[1:])
