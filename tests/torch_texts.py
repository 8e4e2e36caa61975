"""Runs in the Python that has torch: what encoder-decoders write, always the likeliest token.

python -P torch_texts.py COUNT TEXTS

TEXTS: JSON, {folder of a checkpoint: [tokens of a text, ...]}. Prints the same with the new tokens of each, without
those that the decoder began with.
"""

from __future__ import annotations

import json
import sys


def main(count: str, given: str) -> None:
    print(json.dumps({folder: written(folder, int(count), texts) for folder, texts in json.loads(given).items()}))


def written(folder: str, count: int, texts: list[list[int]]) -> list[list[int]]:
    import torch
    from transformers import AutoModelForSeq2SeqLM

    model = AutoModelForSeq2SeqLM.from_pretrained(folder, local_files_only=True, torch_dtype=torch.float32).eval()
    forced = model.generation_config.forced_bos_token_id is not None
    rules = {"max_new_tokens": count + forced, "do_sample": False, "num_beams": 1}
    return [model.generate(torch.tensor([text]), **rules)[0].tolist()[1 + forced :] for text in texts]


if __name__ == "__main__":
    main(*sys.argv[1:])
