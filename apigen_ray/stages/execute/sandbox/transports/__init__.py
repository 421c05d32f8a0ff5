"""Where a runner may run: a container of ours, a sidecar, bubblewrap, or a plain process."""
