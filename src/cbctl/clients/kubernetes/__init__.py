"""Kubernetes: its API over HTTP, as cbctl needs it.

kubeconfig   where the cluster is and who we are there
transport    requests and streams, limits on every wait
api          objects: get, list, apply, delete, logs
access       what we may do
person       who we are
watch        collections of objects, followed through broken connections
manifests    rendering by kubectl, what is applied, what is pruned
rollout      what became of a Deployment, in one sentence
"""
