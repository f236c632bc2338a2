# SIGKILL between any two steps of a load in parts, of letters and of their replay:
# no row is lost, none is entered twice, and all are as in the source at the end.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Compare;
use dbmazz::Load;
use dbmazz::Node;
use dbmazz::Sandbox;

my $target = dbmazz::Sandbox->new;
my $node = dbmazz::Node->start_new('main', sandbox => $target, database => 'shop',
	conf => settle_settings() . <<~'CONF');
	restart_after_crash = off
	dbmazz.on_bad_row = dead_letter
	dbmazz.batch_max_rows = 1000
	dbmazz.checkpoint_interval = 10s
	CONF
$node->safe_psql('postgres', <<~'SQL');
	CREATE TABLE notes (id int PRIMARY KEY, note text, n int);
	CREATE PUBLICATION dbmazz_pub FOR TABLE notes;
	SELECT dbmazz.create_pipeline('p', copy => false);
	SQL
$target->sql('CREATE DATABASE shop');
$target->sql('CREATE TABLE notes (id INT NOT NULL, note VARCHAR(10) NULL, n INT NULL) PRIMARY KEY (id)', 'shop');
$node->run_pipeline('postgres', 'p');

# Rows of which every 40th is bad, and changes of some of these.
my $next = 1;
sub bad_rows
{
	my $from = $next;
	$next += 200;
	$node->psql('postgres', <<~"SQL");
		BEGIN;
		INSERT INTO notes SELECT g, CASE WHEN g % 40 = 7 THEN repeat('x', 20) ELSE 'n' || g END, 0
		FROM generate_series($from, $from + 199) g;
		UPDATE notes SET n = 1 WHERE id = $from + 10;
		COMMIT;
		UPDATE notes SET n = n + 1 WHERE id BETWEEN $from AND $from + 99;
		SQL
	return;
}

sub letters
{
	return $node->safe_psql('postgres', <<~'SQL');
		SELECT count(*), count(DISTINCT (lsn, sequence)), count(DISTINCT key ->> 'id'),
			count(*) FILTER (WHERE (key ->> 'id')::int % 40 <> 7) FROM dbmazz.dead_letters
		SQL
}

my $bad = 0;
for my $point (qw(load_split part_loaded letter_written answer_received))
{
	subtest "killed at $point" => sub {
		crash_at($node, $point, \&bad_rows);
		$bad += 5;
		$node->start;
		$node->wait_for_state('postgres', 'p', 'streaming');
		$node->wait_for_target('postgres', 'p');
		my ($all, $distinct, $keys, $good) = split /\|/, letters();
		is($all, $distinct, "no row is entered twice ($all letters)");
		is($keys, $bad, 'all bad rows have letters');
		is($good, 0, 'and no others');
		is($node->safe_psql('postgres', q(SELECT count(*) FROM dbmazz.stat_table WHERE state = 'stopped')), 0,
			'no table has stopped');
		my ($rows, @different) = row_differences($node, 'postgres', 'public.notes', $target, 'shop.notes');
		is(scalar(grep { !/only in the source: id="?(\d+)"?$/ || $1 % 40 != 7 } @different), 0, "all others are there ($rows rows)");
		is(scalar @different, $bad, 'without the bad ones');
	};
}

# Each time the target takes more, and the next row is longer again.
my $width = 100;
$target->sql("ALTER TABLE notes MODIFY COLUMN note VARCHAR($width)", 'shop');
for my $point (qw(replayed replay_ended))
{
	subtest "killed at $point" => sub {
		crash_at($node, $point, sub {
			$node->psql('postgres', q(SELECT dbmazz.replay_dead_letters('p')));
		});
		$node->start;
		$node->wait_for_state('postgres', 'p', 'streaming');
		$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM dbmazz.replay_request') or die 'no replay';
		$node->wait_for_target('postgres', 'p');
		is(letters(), '0|0|0|0', 'the replay is done');
		rows_equal($node, 'postgres', 'public.notes', $target, 'shop.notes');
		# more for the next point
		$node->safe_psql('postgres', "INSERT INTO notes VALUES ($next, repeat('z', $width + 1), 0)");
		$node->safe_psql('postgres', "UPDATE notes SET n = 5 WHERE id = $next");
		$next += 40;
		$node->wait_for_target('postgres', 'p');
		like(letters(), qr/^[12]\|/, 'keys can die again');
		$width += 100;
		$target->sql("ALTER TABLE notes MODIFY COLUMN note VARCHAR($width)", 'shop');
	};
}

$node->safe_psql('postgres', q(SELECT dbmazz.replay_dead_letters('p')));
$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM dbmazz.replay_request') or die 'no replay';
$node->wait_for_target('postgres', 'p');
rows_equal($node, 'postgres', 'public.notes', $target, 'shop.notes', name => 'source = target at the end');
unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
$node->stop;
done_testing();
