# Loaded before Redmine.
require "webrick" # not among Redmine's gems

# Head and body of an answer are written apart: the second waited 40 ms for the other side to confirm the first.
WEBrick::GenericServer.prepend(Module.new do
  def accept_client(server)
    super&.tap { |socket| socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1) }
  end
end)
