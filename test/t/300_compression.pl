# Loads are compressed as the setting says: the same rows arrive, also after
# loads that break in the middle, and the setting is followed while it runs.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE orders (id bigint PRIMARY KEY, customer int NOT NULL,
			amount numeric(12,2), note text, photo bytea);
		SQL
	tables => ['orders'],
	settings => ['flush_interval=0', 'retry_min_delay=1']);

sub compress_by
{
	my ($method) = @_;
	query($node, "SELECT dbmazz.alter_pipeline('shop', settings =>
		'{flush_interval=0,retry_min_delay=1,starrocks_compression=$method}')");

	# it counts from the shipper's next request on, once it has looked
	$target->wait_until("loads compressed by $method", sub {
		query($node, q(INSERT INTO orders VALUES (0, 0) ON CONFLICT (id)
			DO UPDATE SET customer = orders.customer + 1));
		arrived($node);
		my @loads = $target->loads(stage => 'be');
		return ($loads[-1]->{headers}{compression} // 'none') eq ($method =~ s/lz4/lz4_frame/r);
	});
	$target->clear_loads;
	return;
}

sub write_rows
{
	query($node, <<~'SQL');
		DELETE FROM orders WHERE id >= 100000;
		INSERT INTO orders SELECT i, i % 97, i * 1.37,
				CASE WHEN i % 3 > 0 THEN repeat(chr(32 + i % 2000) || i, i % 50) END,
				decode(repeat(to_hex(i), 2 * (i % 5)), 'hex')
			FROM generate_series(1, 20000) i
			ON CONFLICT (id) DO UPDATE SET amount = orders.amount + 1;
		UPDATE orders SET note = note || '"\' || chr(10), id = id + 100000 WHERE id % 5 = 0 AND id <= 20000;
		DELETE FROM orders WHERE id % 7 = 0;
		SQL
	same_rows($node, $target, 'orders');
	return;
}

for my $method ('gzip', 'zstd', 'lz4', 'none')
{
	compress_by($method);
	write_rows();
	for my $load (grep { $_->{rows} > 1000 } $target->loads(stage => 'be'))
	{
		if ($method eq 'none')
		{
			ok($load->{headers}{'content-length'} == $load->{bytes}, 'the length is announced');
			next;
		}
		is($load->{headers}{'transfer-encoding'}, 'chunked', 'the body goes in chunks');
		cmp_ok($load->{bytes}, '<', $load->{rows} * 60, 'and is smaller than the rows');
	}

	# the connection breaks in the middle, before and after the commit, and the answer is lost
	for my $fault (
		{ when => 'before_body' },
		{ when => 'during_body', bytes => 1 },
		{ when => 'after_body' },
		{ when => 'after_commit' })
	{
		$target->clear_loads;
		$target->fault(fault => 'be_cut', count => 1, %$fault);
		write_rows();
		is(scalar(grep { $_->{outcome} eq 'CUT' || $_->{message} =~ /be_cut/ } $target->loads(stage => 'be')),
			1, "$method: a load was cut $fault->{when}");
		$target->clear_faults;
	}
}

# a server that ignores the header sees something that is no JSON
compress_by('zstd');
$target->fault(fault => 'fail', message => 'illegal json started with (');
query($node, q(INSERT INTO orders VALUES (-1, 1)));
like(wait_for_stop($node, 'orders'), qr/illegal json.*before 3\.2\.7 does not read compressed/s,
	'the hint of an old server');
$target->clear_faults;
restart_stream($node);
same_rows($node, $target, 'orders');

is(stopped_tables($node), '', 'no table has stopped');
$node->stop;
done_testing();
