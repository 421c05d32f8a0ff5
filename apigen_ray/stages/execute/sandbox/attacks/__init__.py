"""What `apigen-ray sandbox test` does: it attacks the sandbox on the machine that will run it.

The attacks ship with the package because isolation depends on the kernel, the Docker engine and
their settings: a promise that was tested elsewhere says nothing about the machine at hand.
"""
