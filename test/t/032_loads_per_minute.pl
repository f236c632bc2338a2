# dbmazz.max_loads_per_minute: how often a table is loaded, what waits for it, and what does not.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE orders (id int PRIMARY KEY, note text);
		CREATE TABLE items (id int PRIMARY KEY, note text);
		CREATE TABLE docs (id int PRIMARY KEY, n int, body text);
		ALTER TABLE docs ALTER body SET STORAGE EXTERNAL;
		SQL
	tables => [qw(orders items docs)],
	settings => [ 'flush_interval=0', 'max_loads_per_minute=1' ]);
$target->sql(<<~'SQL', 'shop');
	CREATE TABLE narrow (id INT NOT NULL, note VARCHAR(5) NULL) PRIMARY KEY (id) DISTRIBUTED BY HASH (id)
	SQL

sub alter
{
	my $settings = join ',', @_;
	query($node, "SELECT dbmazz.alter_pipeline('shop', settings => '{$settings}')");
	return;
}

sub loads_of { my ($table) = @_; return grep { $_->{outcome} eq 'Success' } $target->loads(table => $table) }

sub rows_per_load { my ($table) = @_; return join ' ', map { $_->{rows} } loads_of($table) }

# Wait until the decoder has all that is committed now.
sub decoded
{
	my $lsn = query($node, 'SELECT pg_current_wal_lsn()');
	$node->poll_query_until('postgres',
		"SELECT decoded_lsn >= '$lsn' FROM dbmazz.stat_pipeline WHERE name = 'shop'")
	  or die 'the decoder did not come as far';
	return;
}

# Is it still not there, though the decoder has it, and a while later?
sub waits
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	decoded();
	is(query($node, q(SELECT dbmazz.wait_for('shop', pg_current_wal_lsn(), '300 ms'))), 'f', $name);
	return;
}

# The tables of which dbmazz.stat_table says that their rows wait.
sub waiting
{
	return query($node, <<~'SQL');
		SELECT coalesce(string_agg(target, ' ' ORDER BY target), 'none') FROM dbmazz.stat_table
		WHERE rows_wait_until BETWEEN now() AND now() + '1 min'
		SQL
}

# A life begins with a full bucket.
sub begin_anew
{
	my (@settings) = @_;
	restart_stream($node, sub {
		alter(@settings) if @settings;
		$target->clear_loads;
	});
	return;
}

# ---- a commit that comes alone does not wait, the next ones become one load -----------

query($node, q(INSERT INTO orders VALUES (1, 'alone')));
same_rows($node, $target, 'orders');
is(waiting(), 'none', 'nothing waits');
for my $id (2 .. 6)
{
	query($node, "INSERT INTO orders VALUES ($id, 'waits')");
	decoded();
}
query($node, q(UPDATE orders SET note = 'again' WHERE id = 2));
waits('with one load a minute the second one waits');
query($node, q(INSERT INTO items VALUES (1, 'of another table')));
$target->wait_until('another table', sub { $target->count('shop', 'items') == 1 });
is(rows_per_load('orders'), '1', 'each table has a budget of its own');
is(waiting(), 'orders', 'the view shows which one waits');
my $until = query($node, q(SELECT rows_wait_until FROM dbmazz.stat_table WHERE target = 'orders'));
alter('max_loads_per_minute=200');
$node->poll_query_until('postgres', <<~"SQL") or die 'the view did not follow';
	SELECT rows_wait_until < '$until'::timestamptz - interval '5 s' FROM dbmazz.stat_table WHERE target = 'orders'
	SQL
pass('and until when');
alter('max_loads_per_minute=200', 'flush_interval=1h');
$node->poll_query_until('postgres', q(SELECT rows_wait_until IS NULL FROM dbmazz.stat_table WHERE target = 'orders'))
  or die 'the view did not follow';
pass('but not where their age keeps them');
alter('max_loads_per_minute=0', 'flush_interval=0');
same_rows($node, $target, qw(orders items));
is(waiting(), 'none', 'nor when they are gone');
is(rows_per_load('orders'), '1 5', 'what has waited is one load, with the last row of each key');

# ---- the batch that waits goes by itself ------------------------------------------------

begin_anew('max_loads_per_minute=120');
my $begin = time;
for my $id (101 .. 120)
{
	query($node, "INSERT INTO orders VALUES ($id, 'steady')");
	arrived($node);
}
# twelve are there at the begin, then one comes every half second
cmp_ok(time - $begin, '>', 3.5, 'loads come at the rate of the budget');
is(rows_per_load('orders'), join(' ', (1) x 20), 'and none is lost or added');
same_rows($node, $target, 'orders');

# ---- what cannot wait does not --------------------------------------------------------------

begin_anew('max_loads_per_minute=1', 'batch_max_rows=10');
query($node, q(INSERT INTO orders SELECT i, 'full' FROM generate_series(1001, 1100) i));
same_rows($node, $target, 'orders');
is(rows_per_load('orders'), join(' ', (10) x 10), 'batches that are full do not wait');
query($node, q(INSERT INTO orders VALUES (1101, 'behind them')));
waits('but they are counted');

$begin = time;
begin_anew();
cmp_ok(time - $begin, '<', 30, 'stop_pipeline does not wait for the budget');
same_rows($node, $target, 'orders');
is(rows_per_load('orders'), '1', 'and what had waited is sent by the next life');

# rows of several column sets: the order of the key's changes sends them off
begin_anew('batch_max_rows=DEFAULT');
query($node, q(INSERT INTO docs SELECT i, 0, repeat(md5(i::text), 100) FROM generate_series(1, 20) i));
same_rows($node, $target, 'docs');
query($node, q(UPDATE docs SET n = 1));
waits('a partial update waits');
query($node, q(UPDATE docs SET n = 2, body = repeat(md5((id + 1)::text), 100)));
query($node, q(UPDATE docs SET n = 3));
waits('and so does the last one of several');
alter('max_loads_per_minute=0');
same_rows($node, $target, 'docs');

# a TRUNCATE sends off what is in front of it
$node->append_conf('postgresql.conf', sprintf "dbmazz.starrocks_mysql_address = '127.0.0.1:%d'\n", $target->mysql_port);
$node->reload;
begin_anew('max_loads_per_minute=1');
query($node, q(INSERT INTO orders VALUES (1201, 'sent')));
arrived($node);
query($node, q(INSERT INTO orders VALUES (1202, 'waits')));
decoded();
query($node, 'TRUNCATE orders');
arrived($node);
is($target->count('shop', 'orders'), 0, 'a TRUNCATE does not wait');
query($node, q(INSERT INTO orders VALUES (1203, 'waits')));
waits('what follows it does');

# ---- no space --------------------------------------------------------------------------------

my $tables = 12;
$node->append_conf('postgresql.conf', "dbmazz.pipeline_buffer_size = 512kB\n");
$node->reload;
query($node, <<~"SQL");
	DO \$\$ BEGIN
		FOR i IN 1..$tables LOOP
			EXECUTE format('CREATE TABLE many%s (id int PRIMARY KEY, note text)', i);
			EXECUTE format('ALTER PUBLICATION dbmazz_pub ADD TABLE many%s', i);
		END LOOP;
	END \$\$;
	SQL
$node->create_target('postgres', "many$_", $target, 'shop') for 1 .. $tables;
begin_anew('max_loads_per_minute=1');

sub insert_into_all
{
	my ($id) = @_;
	query($node, "DO 'BEGIN FOR i IN 1..$tables LOOP EXECUTE format(''INSERT INTO many%s VALUES ($id, NULL)'', i); END LOOP; END'");
	return;
}

insert_into_all(1);
arrived($node);
insert_into_all($_) for 2 .. 5;
decoded();
pass('more tables than segments, all out of budget: the decoder goes on');
cmp_ok(scalar(map { loads_of("many$_") } 1 .. $tables), '>', $tables, 'for what was open is sent');
alter('max_loads_per_minute=0');
same_rows($node, $target, map { "many$_" } 1 .. $tables);

# ---- loads in parts ----------------------------------------------------------------------------

query($node, q(CREATE TABLE narrow (id int PRIMARY KEY, note text); ALTER PUBLICATION dbmazz_pub ADD TABLE narrow));
begin_anew('max_loads_per_minute=20', 'on_bad_row=dead_letter');
# two loads are there: one is taken by the batch, the other one, and more, by its parts
query($node, <<~'SQL');
	INSERT INTO narrow SELECT i, CASE WHEN i % 25 = 0 THEN 'too long' ELSE 'ok' END FROM generate_series(1, 200) i
	SQL
arrived($node);
is($target->count('shop', 'narrow'), 192, 'all rows but the bad ones are there');
cmp_ok(scalar(loads_of('narrow')), '>', 8, 'in parts');
query($node, q(INSERT INTO narrow VALUES (1000, 'next')));
waits('which are counted');
alter('max_loads_per_minute=0');
arrived($node);
is($target->count('shop', 'narrow'), 193, 'the next row follows');

# ---- exactly once ------------------------------------------------------------------------------------

sub commits { return grep { $_->{call} eq 'commit' && $_->{outcome} eq 'OK' } $target->loads(stage => 'txn') }

begin_anew('delivery=exactly_once', 'max_loads_per_minute=1', 'on_bad_row=DEFAULT');
query($node, q(INSERT INTO orders VALUES (2001, 'once')));
same_rows($node, $target, 'orders');
for my $id (2002 .. 2005)
{
	query($node, "INSERT INTO orders VALUES ($id, 'once')");
	decoded();
}
waits('exactly once, the second load waits');
alter('max_loads_per_minute=0');
same_rows($node, $target, 'orders');
is(scalar(commits()), 2, 'and there were two');

# ---- whole transactions -----------------------------------------------------------------------------

# Make transactions until they wait.
sub reach_limit
{
	alter('max_loads_per_minute=1');
	$target->wait_until('the limit', sub {
		query($node, q(BEGIN; INSERT INTO orders SELECT max(id) + 1 FROM orders; INSERT INTO items SELECT max(id) + 1 FROM items; COMMIT));
		return query($node, q(SELECT dbmazz.wait_for('shop', pg_current_wal_lsn(), '300 ms'))) eq 'f';
	});
	return;
}

begin_anew('delivery=DEFAULT', 'atomic=transaction', 'max_loads_per_minute=1');
query($node, q(BEGIN; INSERT INTO orders VALUES (3001, 'whole'); INSERT INTO items VALUES (3001, 'whole'); COMMIT));
arrived($node);
$target->clear_loads;
alter('max_loads_per_minute=0');
query($node, q(BEGIN; INSERT INTO orders VALUES (3002, 'whole'); INSERT INTO items VALUES (3002, 'whole'); COMMIT));
arrived($node);
is(scalar(commits()), 1, 'a transaction of the target');
reach_limit();
$target->clear_loads;
query($node, q(BEGIN; INSERT INTO orders SELECT max(id) + 1 FROM orders; INSERT INTO items SELECT max(id) + 1 FROM items; COMMIT))
  for 1 .. 3;
waits('transactions wait together');
is(waiting(), 'items orders', 'and both tables show it');
query($node, q(CREATE TABLE fresh (id int PRIMARY KEY, note text); ALTER PUBLICATION dbmazz_pub ADD TABLE fresh));
$node->create_target('postgres', 'fresh', $target, 'shop');
query($node, q(INSERT INTO fresh VALUES (1, 'first')));
waits('and with them the first row of a table');
is(query($node, q(SELECT pipeline, relid::regclass, relation, target IS NULL, state, dead_letters FROM dbmazz.stat_table
	WHERE rows_wait_until BETWEEN now() AND now() + '1 min' AND relid = 'fresh'::regclass)),
	'shop|fresh|public.fresh|t|streaming|0', 'which the view shows before it has a target');
alter('max_loads_per_minute=0');
same_rows($node, $target, qw(orders items fresh));
is(scalar(commits()), 1, 'and are one of the target');

# rows that no decoder has any more do not wait for their time, though the end of that one is not settled while
# the shipper stands still
reach_limit();
like(waiting(), qr/orders/, 'rows wait');
my ($shipper, $decoder) = map { $node->worker_pid($_, 'shop') } qw(shipper decoder);
kill 'STOP', $shipper;
query($node, "SELECT pg_terminate_backend($decoder)");
$node->poll_query_until('postgres', q(SELECT decoder_pid IS NULL FROM dbmazz.stat_pipeline WHERE name = 'shop'))
  or die 'the decoder did not end';
is(query($node, q(SELECT buffered_batches > 0 FROM dbmazz.stat_pipeline WHERE name = 'shop')), 't', 'batches of a decoder that is gone');
is(query($node, q(SELECT count(*) FROM dbmazz.stat_table WHERE rows_wait_until IS NOT NULL)), '0', 'do not wait for the budget');
kill 'CONT', $shipper;
same_rows($node, $target, qw(orders items));

# ---- defaults --------------------------------------------------------------------------------------

is(query($node, q(SELECT string_agg(boot_val, ' ' ORDER BY name) FROM pg_settings
	WHERE name IN ('dbmazz.flush_interval', 'dbmazz.max_loads_per_minute'))), '0 60',
	'by default commits are sent at once, and sixty a minute');

$node->stop;
done_testing();
