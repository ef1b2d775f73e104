-- The server reads a script as it was checked: quotes and letters mean the same.
set local standard_conforming_strings = on;
set local client_encoding = 'UTF8'
