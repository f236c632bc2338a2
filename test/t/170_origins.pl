# Changes that were replicated to this server: sent on, or with origin = none not.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE orders (id int PRIMARY KEY, note text);
		SELECT pg_replication_origin_create('elsewhere');
		SQL
	tables => ['orders'],
	settings => ['flush_interval=0']);

# As a subscription's worker does it: all that the session commits has an origin.
sub replicated
{
	my ($sql) = @_;
	return query($node, "SELECT pg_replication_origin_session_setup('elsewhere'); $sql");
}

sub alter
{
	my ($name, $settings) = @_;
	my ($status, $out, $err) = $node->psql('postgres',
		"SELECT dbmazz.alter_pipeline('$name', settings => '{$settings}')");
	return $err;
}

my $both = <<'SQL';
	INSERT INTO orders SELECT i, 'theirs' FROM generate_series(1, 10) i;
	UPDATE orders SET note = 'theirs, again' WHERE id % 2 = 0;
	DELETE FROM orders WHERE id % 3 = 0;
	UPDATE orders SET id = id + 100 WHERE id = 4;
SQL

replicated($both);
query($node, q(INSERT INTO orders SELECT i, 'ours' FROM generate_series(11, 20) i));
same_rows($node, $target, 'orders');

if ($node->pg_version < 16)
{
	my $unknown = qr/ERROR:  this server cannot leave out changes that were replicated to it/;

	like(alter('shop', 'origin=none'), $unknown, 'alter_pipeline refuses what the server cannot do');
	like(alter('shop', 'origin=NONE'), qr/HINT:  .*PostgreSQL 16/, 'with a hint');
	is(alter('shop', 'origin=any'), '', 'and takes the other');
	my ($status, $out, $err) = $node->psql('postgres', <<~'SQL');
		SELECT dbmazz.create_pipeline('more', slot => 'more', copy => false, settings => '{origin=none}')
		SQL
	like($err, $unknown, 'create_pipeline, too');

	# of the server: start_pipeline refuses it, and a pipeline that runs fails
	is(alter('shop', 'origin=DEFAULT'), '', 'the server decides');
	$node->append_conf('postgresql.conf', 'dbmazz.origin = none');
	$node->reload;
	$node->poll_query_until('postgres', 'SHOW dbmazz.origin', 'none') or die 'no reload';
	query($node, q(SELECT pg_terminate_backend(decoder_pid) FROM dbmazz.stat_pipeline));
	$node->wait_for_state('postgres', 'shop', 'failed');
	like(query($node, 'SELECT last_error FROM dbmazz.stat_pipeline'), qr/cannot leave out changes/,
		'a pipeline that runs fails at its next start');
	($status, $out, $err) = $node->psql('postgres', q(SELECT dbmazz.start_pipeline('shop')));
	like($err, $unknown, 'start_pipeline refuses it');
	is(alter('shop', 'origin=any'), '', 'its own value');
	$node->run_pipeline('postgres', 'shop');
	replicated(q(UPDATE orders SET note = 'still sent on'));
	same_rows($node, $target, 'orders');
	$node->stop;
	done_testing();
	exit;
}

# From the next start on only what was made here is sent.
restart_stream($node, sub { is(alter('shop', 'origin=none'), '', 'origin = none') });
query($node, 'CREATE TABLE expected AS TABLE orders; ALTER TABLE expected ADD PRIMARY KEY (id)');
replicated(<<~'SQL');
	UPDATE orders SET note = 'not sent';
	DELETE FROM orders WHERE id = 11;
	INSERT INTO orders VALUES (1000, 'not sent');
	SQL
for my $table ('orders', 'expected')
{
	query($node, <<~"SQL");
		INSERT INTO $table VALUES (2000, 'ours');
		UPDATE $table SET note = 'ours' WHERE id IN (12, 13);
		DELETE FROM $table WHERE id = 14;
		SQL
}
arrived($node);
dbmazz::Compare::rows_equal($node, 'postgres', 'expected', $target, 'shop.orders',
	name => 'what came from elsewhere is left out');
my $differ = 'SELECT count(*) FROM (TABLE orders EXCEPT TABLE expected) d';
cmp_ok(query($node, $differ), '>', 1, 'the source has it');

# An origin is that of a transaction, not of the row.
replicated(q(INSERT INTO orders VALUES (3000, 'theirs')));
query($node, q(UPDATE orders SET note = 'touched here' WHERE id = 3000));
query($node, q(INSERT INTO expected VALUES (3000, 'touched here')));
arrived($node);
dbmazz::Compare::rows_equal($node, 'postgres', 'expected', $target, 'shop.orders',
	name => 'a change made here of a row from elsewhere');

# A restart in between changes nothing of that; the position goes on over what is left out.
replicated(q(INSERT INTO orders SELECT i, repeat('x', 1000) FROM generate_series(10001, 12000) i));
my $behind = query($node, 'SELECT pg_current_wal_insert_lsn()');
restart_stream($node);
query($node, $_) for q(INSERT INTO orders VALUES (4000, 'ours')), q(INSERT INTO expected VALUES (4000, 'ours'));
arrived($node);
dbmazz::Compare::rows_equal($node, 'postgres', 'expected', $target, 'shop.orders', name => 'after a restart');
ok($node->poll_query_until('postgres', "SELECT confirmed_flush_lsn >= '$behind' FROM dbmazz.stat_pipeline"),
	'the slot goes on over it');

# And all of it again.
restart_stream($node, sub { is(alter('shop', 'origin=any'), '', 'origin = any') });
replicated(q(UPDATE orders SET note = 'all of them' WHERE note IS NOT NULL; INSERT INTO orders VALUES (11, 'x');
	DELETE FROM orders WHERE id IN (11, 13)));
same_rows($node, $target, 'orders');

$node->stop;
done_testing();
