# The channel of an OCPP 1.6 station: a method for each action that the app handles.
# `data` has the message's "id", its "command" (the OCPP action), its "payload" and the OCPP "version". The messages that
# cost money also have a "key", which stays the same when a station sends a message again.
class OCPPChannel < ApplicationCable::Channel
  def subscribed
    stream_for "ev/#{params["sn"]}"
  end

  def boot_notification(data)
    record(data)
    transmit_ack(id: data["id"], status: "Accepted", currentTime: Time.now.utc.iso8601, interval: 300)
  end

  # Sends no Ack: the bridge answers for the app.
  def status_notification(data) = record(data)

  def authorize(data)
    record(data)
    transmit_ack(id: data["id"], idTagInfo: id_tag_info(data))
  end

  def start_transaction(data)
    transmit_ack(id: data["id"], transactionId: book(data)["number"], idTagInfo: id_tag_info(data))
  end

  def meter_values(data)
    book(data)
    transmit_ack(id: data["id"])
  end

  def stop_transaction(data)
    book(data)
    transmit_ack(id: data["id"])
  end

  # The station's answers to remote commands.
  def ack(data) = record(data)

  def error(data) = record(data)
end
