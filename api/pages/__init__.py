"""Pages for anybody with a browser: rendered here, without scripts, without a request to anywhere else."""
