"""Verified data for training: in the formats that trainers read, and on the Hugging Face Hub."""
