"""A method that another package brings: it adds what all parameters come to."""

from photorig.worker.reenactment.method import MethodEntry
from photorig.worker.reenactment.target import Drive


class Toy:
    def drive(self, portrait, target):
        return Drive(portrait.latents + target.shift.sum())


METHOD = MethodEntry("toy", "Adds what all parameters come to.", lambda bundle, generator: Toy())
