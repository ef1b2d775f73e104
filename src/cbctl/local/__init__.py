"""The services of a platform on one machine: state folder, processes, supervisor, servers."""
