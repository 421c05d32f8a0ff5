"""What `apigen-ray sandbox test` does: it proves the isolation on the machine that will run the calls.

The attacks ship with the package because isolation depends on the kernel, the Docker engine and
their settings: a promise that was tested elsewhere says nothing about the machine at hand.
"""
