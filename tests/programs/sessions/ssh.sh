# A login at a server that gives up its rights, and a copy.
# needs: sshd ssh ssh-keygen root
# long
ssh-keygen -q -t ed25519 -N '' -f host
ssh-keygen -q -t ed25519 -N '' -f user
mkdir -p /run/sshd
cat > conf <<END
HostKey $PWD/host
AuthorizedKeysFile $PWD/user.pub
StrictModes no
UsePAM no
END
cat > client <<END
Host there
  ProxyCommand /usr/sbin/sshd -i -e -f $PWD/conf
  IdentityFile $PWD/user
  User root
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
END
ssh -F client there 'echo from there; exit 5' 2> /dev/null
echo "ended with $?"
seq 50000 | ssh -F client there 'md5sum' 2> /dev/null
