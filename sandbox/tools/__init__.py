"""A library of small, deterministic tools: one module a subject, one public function a tool.

Every tool works on its arguments alone: no clock, randomness, files or network. What a parameter
may be is said by its type, and the ways to call it are shown in its examples.
"""
