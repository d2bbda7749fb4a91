"""Trains a small neural network, with Python's standard library only.

The task: two interleaved half moons of points, with noise. One hidden layer, stochastic gradient descent with momentum. Data and
first weights come from fixed seeds, so that the same parameters give the same model.
"""

import argparse
import json
import math
import os
import random

POINTS = 240
EPOCHS = 30


def moons(count, noise, rng):
    """Points of two half circles that reach into each other, and which of the two each belongs to."""
    points = []
    for i in range(count):
        angle, label = math.pi * rng.random(), i % 2
        x, y = math.cos(angle), math.sin(angle)
        if label:
            x, y = 1 - x, 0.5 - y
        points.append((x + rng.gauss(0, noise), y + rng.gauss(0, noise), label))
    return points


def relu(z):
    return (z, 1.0) if z > 0 else (0.0, 0.0)


def tanh(z):
    t = math.tanh(z)
    return t, 1 - t * t


class Network:
    """Two inputs, one hidden layer, one output: the probability of the second moon."""

    def __init__(self, hidden, activation, rng):
        self.activation = {"relu": relu, "tanh": tanh}[activation]
        # For each hidden unit: the weights of both inputs, its bias, its weight in the output.
        self.units = [[rng.gauss(0, 1), rng.gauss(0, 1), 0.0, rng.gauss(0, 1 / math.sqrt(hidden))] for _ in range(hidden)]
        self.bias = 0.0
        self.speed = [[0.0] * 4 for _ in range(hidden)]
        self.bias_speed = 0.0

    def probability(self, x, y):
        z = self.bias + sum(v * self.activation(a * x + b * y + c)[0] for a, b, c, v in self.units)
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, z))))

    def step(self, x, y, label, lr, momentum):
        """One step down the gradient of the cross-entropy at one point."""
        outputs = [self.activation(a * x + b * y + c) for a, b, c, _ in self.units]
        z = self.bias + sum(unit[3] * output for unit, (output, _) in zip(self.units, outputs))
        error = 1 / (1 + math.exp(-max(-60.0, min(60.0, z)))) - label
        for unit, speed, (output, slope) in zip(self.units, self.speed, outputs):
            back = error * unit[3] * slope
            for i, gradient in enumerate((back * x, back * y, back, error * output)):
                speed[i] = momentum * speed[i] - lr * gradient
                unit[i] += speed[i]
        self.bias_speed = momentum * self.bias_speed - lr * error
        self.bias += self.bias_speed


def evaluate(network, points):
    """Mean cross-entropy, and the share of points that are told right."""
    loss = right = 0
    for x, y, label in points:
        p = network.probability(x, y)
        loss -= math.log(max(1e-12, p if label else 1 - p))
        right += (p > 0.5) == bool(label)
    return loss / len(points), right / len(points)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lr", type=float, required=True, help="learning rate")
    parser.add_argument("--momentum", type=float, default=0.0)
    parser.add_argument("--hidden", type=int, default=4, help="hidden units")
    parser.add_argument("--activation", choices=["relu", "tanh"], default="relu")
    parser.add_argument("--out", required=True, help="folder for metrics.json and model.json")
    args = parser.parse_args()

    data = random.Random(1)
    training, validation = moons(POINTS, 0.15, data), moons(POINTS, 0.15, data)
    rng = random.Random(2)
    network = Network(args.hidden, args.activation, rng)
    for _ in range(EPOCHS):
        rng.shuffle(training)
        for x, y, label in training:
            network.step(x, y, label, args.lr, args.momentum)

    loss, accuracy = evaluate(network, validation)
    os.makedirs(args.out, exist_ok=True)
    with open(os.path.join(args.out, "model.json"), "w") as file:
        json.dump({"activation": args.activation, "units": network.units, "bias": network.bias}, file)
    with open(os.path.join(args.out, "metrics.json"), "w") as file:
        json.dump({"validation_loss": loss, "validation_accuracy": accuracy, "epochs": EPOCHS}, file)
    print(f"validation loss {loss:.4f}, accuracy {accuracy:.1%}")


if __name__ == "__main__":
    main()
