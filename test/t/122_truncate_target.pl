# TRUNCATE over the target's MySQL port: in order with loads, and not late.

use strict;
use warnings;

use JSON::PP;
use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE orders (id int PRIMARY KEY, note text);
		CREATE TABLE "Odd `name`" (id int PRIMARY KEY, note text);
		CREATE TABLE parents (id int PRIMARY KEY);
		CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents);
		SQL
	tables => ['orders', '"Odd `name`"', 'parents', 'children'],
	run => 0);
my @all = ('orders', 'parents', 'children');

sub configure
{
	my ($more) = @_;
	my $address = '127.0.0.1:' . $target->mysql_port;
	query($node, "SELECT dbmazz.alter_pipeline('shop', settings => "
		  . "'{flush_interval=0,starrocks_mysql_address=$address$more}')");
	return;
}

sub held
{
	my ($table) = @_;
	$target->wait_until('a held TRUNCATE',
		sub { grep { /TRUNCATE TABLE `shop`\.`$table`/ } $target->held_statements });
	return;
}

configure('');
$node->run_pipeline('postgres', 'shop');

# ---- between loads ---------------------------------------------------------------

query($node, <<~'SQL');
	INSERT INTO orders SELECT i, 'a' FROM generate_series(1, 500) i;
	INSERT INTO "Odd `name`" VALUES (1, 'a');
	INSERT INTO parents SELECT i FROM generate_series(1, 5) i;
	INSERT INTO children SELECT i, i FROM generate_series(1, 5) i;
	SQL
same_rows($node, $target, @all);
query($node, <<~'SQL');
	BEGIN;
	UPDATE orders SET note = 'before' WHERE id < 100;
	TRUNCATE orders, "Odd `name`";
	INSERT INTO orders VALUES (1, 'after'), (1000, 'after');
	TRUNCATE parents CASCADE;
	INSERT INTO parents VALUES (3);
	COMMIT;
	SQL
same_rows($node, $target, @all);
is($target->sql('SELECT count(*) FROM `Odd ``name```', 'shop'), 0, 'whatever the name');
is($target->count('shop', 'children'), 0, 'CASCADE');
for my $i (1 .. 5)
{
	query($node, "TRUNCATE orders; INSERT INTO orders SELECT i, '$i' FROM generate_series(1, 50 * $i) i");
}
same_rows($node, $target, @all);
is(stopped_tables($node), '', 'no table has stopped');

# ---- answers that do not come ------------------------------------------------------

for my $fault (
	{ fault => 'mysql_cut', when => 'before' },
	{ fault => 'mysql_cut', when => 'after' },
	{ fault => 'mysql_cut', when => 'connect' },
	{ fault => 'mysql_error', message => 'rpc failed' })
{
	my $name = join ' ', map { $fault->{$_} } sort keys %$fault;
	$target->fault(%$fault, count => 2,
		$name =~ /connect/ ? () : (statement => 'TRUNCATE'));
	query($node, 'INSERT INTO orders VALUES (7777, NULL); TRUNCATE orders; INSERT INTO orders VALUES (8888)');
	same_rows($node, $target, 'orders');
	$target->clear_faults;
	pass($name);
}

# ---- one that comes late -------------------------------------------------------------

# The pipeline is stopped while the target holds a TRUNCATE, and goes on over it.
$target->fault(fault => 'mysql_hold', count => 1, statement => 'TRUNCATE');
query($node, 'TRUNCATE orders');
held('orders');
query($node, q(INSERT INTO orders SELECT i, 'behind it' FROM generate_series(1, 100) i));
restart_stream($node);
same_rows($node, $target, @all);
is_deeply([ $target->held_statements ], [], 'nothing of the old life is at work');
$target->release;
same_rows($node, $target, @all);

# The same with a crash of the whole server.
$target->fault(fault => 'mysql_hold', count => 1, statement => 'TRUNCATE');
query($node, 'TRUNCATE orders');
held('orders');
$node->stop('immediate');
$node->start;
query($node, q(INSERT INTO orders SELECT i, 'after the crash' FROM generate_series(1, 100) i));
same_rows($node, $target, @all);
$target->release;
same_rows($node, $target, @all);

# One that goes on although it is killed is waited for.
configure(',starrocks_request_timeout=1s');
restart_stream($node);
$target->fault(fault => 'mysql_hold', deaf => JSON::PP::true, count => 1, statement => 'TRUNCATE');
query($node, 'TRUNCATE orders');
held('orders');
query($node, q(INSERT INTO orders SELECT i, 'later' FROM generate_series(1, 10) i));
$node->poll_query_until('postgres', q(SELECT last_error ~ 'not yet ended' FROM dbmazz.stat_pipeline))
  or die 'the TRUNCATE was not looked for';
is($target->count('shop', 'orders'), 100, 'no row is sent before its end');
$target->release;
same_rows($node, $target, @all);

# ---- refused ---------------------------------------------------------------------------

$target->fault(fault => 'mysql_error', code => 5203, count => 1, statement => 'TRUNCATE',
	message => 'Access denied; you need the DROP privilege');
query($node, q(TRUNCATE orders; INSERT INTO orders VALUES (1, 'x'); INSERT INTO parents VALUES (10)));
my $why = wait_for_stop($node, 'orders');
like($why, qr/Access denied.*DROP.*privilege.*"orders"/s, 'a privilege is missing');
same_rows($node, $target, 'parents', 'children');
restart_stream($node);
same_rows($node, $target, @all);

$node->stop;
done_testing();
