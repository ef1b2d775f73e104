update {schema}.cbctl_marker set building = true
