# Soft deletes and TRUNCATE: it marks nothing, and does what dbmazz.truncate_mode says;
# and the time of a row stays that of its batch, however often that is sent.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE docs (id int PRIMARY KEY, note text, body text);
		ALTER TABLE docs ALTER body SET STORAGE EXTERNAL;
		CREATE TABLE others (id int PRIMARY KEY, note text);
		SQL
	tables => [qw(docs others)],
	conf => "dbmazz.audit_columns = on\ndbmazz.delete_mode = soft\n",
	run => 0);

sub configure
{
	my ($mode) = @_;
	my $address = '127.0.0.1:' . $target->mysql_port;
	query($node, "SELECT dbmazz.alter_pipeline('shop', settings => "
		  . "'{flush_interval=0,truncate_mode=$mode,starrocks_mysql_address=$address}')");
	return;
}

sub marks
{
	my ($table) = @_;
	arrived($node);
	return join ' ', split /\n/, $target->sql(
		"SELECT concat(id, CASE WHEN dbmazz_is_deleted THEN '-' ELSE '' END) FROM $table ORDER BY id", 'shop');
}

# ---- apply ----------------------------------------------------------------------------

configure('apply');
$node->run_pipeline('postgres', 'shop');
query($node, q(INSERT INTO docs SELECT i, 'a' FROM generate_series(1, 4) i; INSERT INTO others VALUES (1, 'a')));
query($node, 'DELETE FROM docs WHERE id = 2');
is(marks('docs'), '1 2- 3 4', 'a row is marked');
query($node, <<~'SQL');
	BEGIN;
	DELETE FROM docs WHERE id = 3;
	INSERT INTO docs VALUES (5, 'before');
	TRUNCATE docs;
	INSERT INTO docs VALUES (4, 'again'), (6, 'behind'), (7, 'behind');
	DELETE FROM docs WHERE id = 6;
	COMMIT;
	SQL
is(marks('docs'), '4 6- 7', 'apply: rows that were marked are gone too; marks behind it stay');
is($target->sql('SELECT note FROM docs WHERE id = 4', 'shop'), 'again', 'and a row of the same key is the new one');
query($node, 'TRUNCATE docs');
is(marks('docs'), '', 'the target is empty');
query($node, q(INSERT INTO docs VALUES (1, 'b'); DELETE FROM docs));
is(marks('docs'), '1-', 'and rows are marked again');

# ---- ignore ---------------------------------------------------------------------------

restart_stream($node, sub { configure('ignore') });
query($node, q(INSERT INTO docs VALUES (2, 'c'), (3, 'c'); DELETE FROM docs WHERE id = 3));
query($node, 'TRUNCATE docs');
is(marks('docs'), '1- 2 3-', 'ignore: no row goes, and none is marked');
query($node, q(INSERT INTO docs VALUES (2, 'd')));
is(marks('docs'), '1- 2 3-', 'a row that comes again is the same one');

# ---- stop -----------------------------------------------------------------------------

restart_stream($node, sub { configure('stop') });
query($node, q(INSERT INTO docs VALUES (4, 'e')));
is(marks('docs'), '1- 2 3- 4', 'before');
query($node, 'TRUNCATE docs');
like(wait_for_stop($node, 'docs'), qr/"public\.docs" was truncated/, 'stop: the table stops');
query($node, q(INSERT INTO docs VALUES (5, 'f'); INSERT INTO others VALUES (2, 'b')));
is(marks('others'), '1 2', 'others go on');
is(marks('docs'), '1- 2 3- 4', 'nothing was marked');
restart_stream($node, sub { configure('apply') });
is(marks('docs'), '5', 'with apply it goes on');
is(stopped_tables($node), '', 'no table has stopped');

# ---- the time of a batch that is sent again ------------------------------------------------

# A key that takes a large value along: the shipper reads that row again.
for my $change (q(INSERT INTO docs VALUES (10, 'x', repeat('large', 5000))),
	q(UPDATE docs SET note = 'y' WHERE id = 10),
	q(UPDATE docs SET id = 11 WHERE id = 10),
	q(DELETE FROM docs WHERE id = 11))
{
	my $id = $change =~ /11/ ? 11 : 10;
	$target->clear_loads;
	$target->fault(fault => 'be_cut', when => 'after_body', table => '^docs$');
	query($node, $change);
	$target->wait_until('two attempts', sub { $target->loads(table => 'docs') >= 2 });
	my $after = query($node, q(SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')));
	my @labels = map { $_->{label} } $target->loads(table => 'docs');
	is($labels[1], $labels[0], "$change: the same load");
	my $first = ($target->loads(table => 'docs'))[0]{bytes};
	$target->wait_until('another attempt', sub { $target->loads(table => 'docs') >= 3 });
	$target->clear_faults;
	arrived($node);
	my ($done) = grep { $_->{label} eq $labels[0] && $_->{loaded} } $target->loads(table => 'docs');
	is($done->{bytes}, $first, 'of the same length');
	cmp_ok($target->sql("SELECT dbmazz_synced_at FROM docs WHERE id = $id", 'shop'), 'lt', $after,
		'its time is that of the batch, not of the attempt');
}

$node->stop;
done_testing();
