-- Amounts that clients of mariadb move between rows: their sum never changes. The rows are wide, so that they fill many pages.
create database bank;
use bank;
create table notes(i int) engine=innodb;
create table accounts(id int primary key, amount int not null, text varchar(2000) not null) engine=innodb;
insert into accounts select seq, 100, repeat('a', 2000) from seq_1_to_10000;
delimiter //
create procedure transfer(rounds int)
begin
	declare i int default 0;
	declare low, high int;
	while i < rounds do
		set low = 1 + floor(rand() * 9999);
		set high = low + 1 + floor(rand() * (10000 - low));
		start transaction;
		update accounts set amount = amount - 1, text = repeat(char(97 + i % 26), 2000) where id = low;
		update accounts set amount = amount + 1 where id = high;
		commit;
		set i = i + 1;
	end while;
	select 'done';
end//
