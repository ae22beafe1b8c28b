"""A small neural network in PyTorch, as a program: it may run on another Python than Airflow's, with its own packages.

Usage: python3 train_torch.py TRAIN.csv VALIDATION.csv CONFIG.json MODEL.onnx
"""

import copy
import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn


def read(path):
    """The features and the labels, which are the first column."""
    rows = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
    return torch.tensor(rows[:, 1:], dtype=torch.float32), torch.tensor(rows[:, 0], dtype=torch.long)


def main(train, validation, config, model):
    """Train until the validation loss has not become smaller for 20 steps."""
    about = json.loads(Path(config).read_text())
    torch.manual_seed(about["seed"])
    (x, y), (held_x, held_y) = read(train), read(validation)
    hidden = about["params"]["hidden"]
    net = nn.Sequential(nn.Linear(x.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, len(about["classes"])))
    optimizer = torch.optim.Adam(net.parameters(), lr=about["params"]["learning_rate"])
    best, best_loss, since, step = None, float("inf"), 0, 0
    while since < 20:
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
        with torch.no_grad():
            loss = nn.functional.cross_entropy(net(held_x), held_y).item()
        step, since = step + 1, since + 1
        if loss < best_loss - 1e-4:
            best, best_loss, since = copy.deepcopy(net), loss, 0
    print(f"validation loss {best_loss:.4f} after {step - since} steps")
    whole = nn.Sequential(best, nn.Softmax(dim=1)).eval()
    torch.onnx.export(
        whole,
        x[:1],
        model,
        input_names=["rows"],
        output_names=["probabilities"],
        dynamic_axes={"rows": {0: "n"}, "probabilities": {0: "n"}},
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
