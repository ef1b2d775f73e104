-- Which of the extensions `names` are installed here, and may not be made by who owns a database.
select a.name::text
from pg_available_extensions a
join pg_available_extension_versions v on v.name = a.name and v.version = a.default_version
where a.name = any(%(names)s) and v.superuser and not v.trusted
order by 1
