update {schema}.cbctl_marker set building = false where building
