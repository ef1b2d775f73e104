select platform, environment, building from {schema}.cbctl_marker
