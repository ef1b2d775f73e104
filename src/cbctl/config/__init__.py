"""The environment documents (`cbctl.yaml`, `.env.<name>`) and the typed settings they give."""
