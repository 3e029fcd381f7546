"""The main job on a laptop: real files, uploaded to an emulated AWS, become rows. Run `python -m localstack.demo`."""
