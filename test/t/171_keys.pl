# Key changes under each replica identity: in one transaction, in one batch, in circles.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my @plain = map { "k_$_" } qw(default full index extra);
my @all = (@plain, qw(k_pair k_unkeyed));

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE k_default (id int PRIMARY KEY, v int, t text);
		CREATE TABLE k_full (LIKE k_default INCLUDING ALL);
		ALTER TABLE k_full REPLICA IDENTITY FULL;
		CREATE TABLE k_index (LIKE k_default INCLUDING ALL);
		ALTER TABLE k_index REPLICA IDENTITY USING INDEX k_index_pkey;
		-- an identity that holds more than the key
		CREATE TABLE k_extra (LIKE k_default INCLUDING ALL);
		ALTER TABLE k_extra ALTER v SET NOT NULL;
		CREATE UNIQUE INDEX k_extra_identity ON k_extra (v, id);
		ALTER TABLE k_extra REPLICA IDENTITY USING INDEX k_extra_identity;
		CREATE TABLE k_pair (a int, b text, v int, PRIMARY KEY (b, a));
		-- no primary key: the index is the key
		CREATE TABLE k_unkeyed (v int, id int NOT NULL UNIQUE, t text);
		ALTER TABLE k_unkeyed REPLICA IDENTITY USING INDEX k_unkeyed_id_key;
		SQL
	tables => \@all,
	settings => ['flush_interval=0']);

sub same
{
	my ($name, @tables) = @_;
	arrived($node);
	for my $table (@tables)
	{
		my @key = $table eq 'k_pair' ? ('b', 'a') : ('id');
		dbmazz::Compare::rows_equal($node, 'postgres', $table, $target, "shop.$table", key => \@key,
			name => "$name: $table");
	}
	return;
}

# The same statements for each table; '%' is its name, and a table that is named by
# more than one column has its "id" in "a".
sub on_each
{
	my ($sql, @tables) = @_;
	for my $table (@tables)
	{
		(my $text = $sql) =~ s/%/$table/g;
		query($node, $text);
	}
	return;
}

my $changes = <<'SQL';
	INSERT INTO % (id, v, t) SELECT i, i, 't' || i FROM generate_series(1, 40) i;

	-- many changes of one key in one transaction
	BEGIN;
	INSERT INTO % (id, v, t) VALUES (101, 0, 'a'), (102, 0, 'a');
	DELETE FROM % WHERE id = 101;
	INSERT INTO % (id, v, t) VALUES (101, 1, 'b');
	DELETE FROM % WHERE id IN (101, 102);
	DELETE FROM % WHERE id = 1;
	INSERT INTO % (id, v, t) VALUES (1, -1, 'anew');
	DELETE FROM % WHERE id = 2;
	INSERT INTO % (id, v, t) VALUES (2, -2, 'anew');
	DELETE FROM % WHERE id = 2;
	COMMIT;

	-- there and back
	BEGIN;
	UPDATE % SET id = 203 WHERE id = 3;
	UPDATE % SET id = 3 WHERE id = 203;
	UPDATE % SET id = 204 WHERE id = 4;
	UPDATE % SET id = 4, t = 'back' WHERE id = 204;
	UPDATE % SET id = 204, v = -4 WHERE id = 4;
	UPDATE % SET id = 205 WHERE id = 5;
	DELETE FROM % WHERE id = 205;
	INSERT INTO % (id, v, t) VALUES (205, 5, 'another'), (5, 6, 'another');
	COMMIT;
	UPDATE % SET id = 206 WHERE id = 6;
	UPDATE % SET id = 6 WHERE id = 206;

	-- two rows take each other's key
	BEGIN;
	UPDATE % SET id = -7 WHERE id = 7;
	UPDATE % SET id = 7 WHERE id = 8;
	UPDATE % SET id = 8 WHERE id = -7;
	COMMIT;

	-- a chain, and keys that others have just left
	BEGIN;
	UPDATE % SET id = id + 1000 WHERE id BETWEEN 10 AND 20;
	UPDATE % SET id = id - 999 WHERE id BETWEEN 1010 AND 1020 AND id <> 1020;
	UPDATE % SET id = 10 WHERE id = 1020;
	COMMIT;

	-- nothing but the key; the key to what it was; nothing at all
	UPDATE % SET id = 300 WHERE id = 30;
	UPDATE % SET id = id, t = 'x' WHERE id = 31;
	UPDATE % SET v = v WHERE id > 31;
	UPDATE % SET t = NULL WHERE id = 32;
	UPDATE % SET id = 333, t = NULL WHERE id = 33;
	UPDATE % SET t = '' WHERE id = 333;
SQL

my @flat = grep { $_ ne 'k_pair' } @all;
on_each($changes, @flat);
same('at once', @flat);
is(query($node, 'SELECT count(*) FROM k_default WHERE id IN (1, 2, 3, 4, 204, 205, 300, 333)'), 6,
	'what the statements leave');
is(query($node, q(SELECT string_agg(t, ' ' ORDER BY id) FROM k_full WHERE id IN (7, 8))), 't8 t7', 'keys swapped');

# The same where all of it meets in one batch.
query($node, q(SELECT dbmazz.alter_pipeline('shop', settings => '{flush_interval=2s}')));
on_each("DELETE FROM %; $changes", @flat);
same('in one batch', @flat);
query($node, q(SELECT dbmazz.alter_pipeline('shop', settings => '{flush_interval=0}')));

# Keys of several columns, in another order than the table's.
query($node, <<~'SQL');
	INSERT INTO k_pair SELECT i % 5, 'b' || i, i FROM generate_series(1, 30) i;
	UPDATE k_pair SET a = a + 10 WHERE v % 2 = 0;
	UPDATE k_pair SET b = b || 'x' WHERE v % 3 = 0;
	UPDATE k_pair SET a = a + 1, b = upper(b), v = -v WHERE v % 5 = 0;
	BEGIN;
	UPDATE k_pair SET b = 'tmp' WHERE v = 1;
	UPDATE k_pair SET b = 'b1', a = 2 WHERE v = 2;
	UPDATE k_pair SET b = 'b2', a = 1 WHERE v = 1;
	COMMIT;
	-- one text in two ways of cutting it
	INSERT INTO k_pair VALUES (1, '1,2', 1000), (1, '"1', 1001), (11, '', 1002), (1, '1', 1003), (0, '01', 1004);
	DELETE FROM k_pair WHERE v IN (1002, 1004);
	SQL
same('several columns', 'k_pair');

# A deferred key: two rows may have one for a while.
query($node, <<~'SQL');
	CREATE TABLE k_deferred (id int NOT NULL, v int, UNIQUE (id) DEFERRABLE INITIALLY DEFERRED, x int PRIMARY KEY);
	SQL
$node->create_target('postgres', 'k_deferred', $target, 'shop');
query($node, <<~'SQL');
	ALTER PUBLICATION dbmazz_pub ADD TABLE k_deferred;
	INSERT INTO k_deferred SELECT i, i, i FROM generate_series(1, 10) i;
	BEGIN;
	UPDATE k_deferred SET id = 11 - id;
	UPDATE k_deferred SET x = -x;
	UPDATE k_deferred SET x = 11 + x;
	COMMIT;
	SQL
arrived($node);
dbmazz::Compare::rows_equal($node, 'postgres', 'k_deferred', $target, 'shop.k_deferred', name => 'all keys reversed');

# ---- the identity changes in mid-stream ------------------------------------------------

my @identities = ('FULL', 'DEFAULT', 'USING INDEX k_extra_identity', 'FULL', 'USING INDEX k_extra_pkey', 'DEFAULT');
my $away = 0;
for my $flush ('0', '300ms')
{
	query($node, "SELECT dbmazz.alter_pipeline('shop', settings => '{flush_interval=$flush}')");
	for my $i (0 .. $#identities)
	{
		$away += 10000;
		query($node, <<~"SQL");
			BEGIN;
			UPDATE k_extra SET id = id + $away WHERE id % 3 = $i % 3 AND id < 10000;
			ALTER TABLE k_extra REPLICA IDENTITY $identities[$i];
			UPDATE k_extra SET id = id - $away WHERE id > $away AND v % 2 = 0;
			UPDATE k_extra SET t = 'round $i' WHERE id % 4 = $i % 4;
			DELETE FROM k_extra WHERE id % 40 = 3 * $i;
			INSERT INTO k_extra VALUES (500 + $i, $i, 'new'), (600 + $i, $i, 'new')
				ON CONFLICT (id) DO UPDATE SET v = excluded.v + 1, t = k_extra.t || excluded.t;
			COMMIT;
			SQL
	}
	same("identities, flush_interval $flush", 'k_extra');
}

# NOTHING: inserts go on, the server itself refuses the rest.
query($node, <<~'SQL');
	ALTER TABLE k_default REPLICA IDENTITY NOTHING;
	INSERT INTO k_default VALUES (5000, 1, 'without identity');
	SQL
for my $sql ('UPDATE k_default SET v = 0 WHERE id = 5000', 'DELETE FROM k_default WHERE id = 5000')
{
	my ($status, $out, $err) = $node->psql('postgres', $sql);
	like($err, qr/cannot (update|delete from) table "k_default" because it does not have a replica identity/,
		"refused by the server: $sql");
}
query($node, q(ALTER TABLE k_default REPLICA IDENTITY DEFAULT; DELETE FROM k_default WHERE id = 5000));
same('identity NOTHING for a while', 'k_default');

# Where updates are not published, the server refuses none, and none is sent.
query($node, <<~'SQL');
	ALTER PUBLICATION dbmazz_pub SET (publish = 'insert');
	ALTER TABLE k_full REPLICA IDENTITY NOTHING;
	UPDATE k_full SET v = v;
	INSERT INTO k_full VALUES (7000, 1, 'sent');
	UPDATE k_full SET t = 'not sent' WHERE id = 7000;
	SQL
arrived($node);
is($target->sql('SELECT t FROM k_full WHERE id = 7000', 'shop'), 'sent', 'inserts alone');
query($node, <<~'SQL');
	ALTER TABLE k_full REPLICA IDENTITY FULL;
	ALTER PUBLICATION dbmazz_pub SET (publish = 'insert, update, delete, truncate');
	UPDATE k_full SET t = t;
	SQL
same('all operations again', @all);

is(stopped_tables($node), '', 'no table has stopped');
$node->stop;
done_testing();
