package PKI::OneTime;

# One-time challenges put into Redis as nginx would, see shared/README.md.
#
#   use PKI::OneTime;
#
#   one_time_put('demo', 'default', 'SECRET', by => 'mdm', subject => 'CN=x');
#   ok(one_time_is('demo', 'default', 'SECRET'));     there, not used
#   is(one_time_count('demo', 'mdm'), 1);             of one that made some
#
# Options: by, subject, sans, device, user; ttl, by default an hour; created,
# by default now; expires, by default then.

use strict;
use warnings;

use Digest::SHA qw( sha256_hex );
use Exporter qw( import );

use PKI ();

our @EXPORT = qw( one_time_put one_time_is one_time_count one_time_key );


sub one_time_key {
    my ($authority, $scope, $secret) = @_;

    return "pki:{$authority}:challenge:"
           . sha256_hex(pack 'N/a* N/a* N/a*', $authority, $scope, $secret);
}


sub one_time_put {
    my ($authority, $scope, $secret, %o) = @_;

    my $key = one_time_key($authority, $scope, $secret);
    my $ttl = delete $o{ttl} // 3600;
    my $created = delete $o{created} // time;
    my $expires = delete $o{expires} // $created + $ttl;
    my $index = "pki:{$authority}:challenges:" . ($o{by} // '');

    PKI::redis_cmd('HSET', $key, scope => $scope, created => $created,
                   expires => $expires, %o);
    PKI::redis_cmd('EXPIRE', $key, $ttl);
    PKI::redis_cmd('ZADD', $index, time + $ttl, substr $key, -64);
    PKI::redis_cmd('EXPIRE', $index, $ttl);

    return $secret;
}


sub one_time_is { return PKI::redis_cmd('EXISTS', one_time_key(@_)) }


sub one_time_count {
    my ($authority, $by) = @_;

    return PKI::redis_cmd('ZCARD', "pki:{$authority}:challenges:$by");
}

1;
