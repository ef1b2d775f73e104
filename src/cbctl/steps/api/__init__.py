"""Steps on the service where it runs on Kubernetes."""
