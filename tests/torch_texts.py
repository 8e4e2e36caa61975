"""Runs in the Python that has torch: what a checkpoint writes, always the likeliest token.

python -P torch_texts.py CHECKPOINT COUNT TEXT...

TEXT: tokens, joined by commas. Prints a JSON list of the new tokens of each, without those that the decoder began with.
"""

from __future__ import annotations

import json
import sys


def main(checkpoint: str, count: str, *texts: str) -> None:
    import torch
    from transformers import AutoModelForSeq2SeqLM

    model = AutoModelForSeq2SeqLM.from_pretrained(checkpoint, local_files_only=True, torch_dtype=torch.float32).eval()
    forced = model.generation_config.forced_bos_token_id is not None
    found = []
    for text in texts:
        tokens = torch.tensor([[int(one) for one in text.split(",")]])
        written = model.generate(tokens, max_new_tokens=int(count) + forced, do_sample=False, num_beams=1)[0].tolist()
        found.append(written[1 + forced :])
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
