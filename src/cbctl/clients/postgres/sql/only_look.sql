-- After a first query the transaction cannot be made to write again.
set transaction read only;
select 1
